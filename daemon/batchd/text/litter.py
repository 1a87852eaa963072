"""Names of files that nobody means: half-written ones, and what desktops, editors and sync tools leave behind."""

import re

_IGNORED = re.compile(
    r"""
      \..*                                                  # dot files, and with them .DS_Store, .nfs…, .syncthing.…,
                                                            # rsync's .name.XXXXXX, the swap files of vim
    | .*\.(tmp|part|partial|crdownload|swp)                 # the names of the contract
    | .*~                                                   # and its last one, which editors give to backups
    | .*\.(filepart|opdownload|swo|swx|aria2|!ut|!qb)       # WinSCP, Opera, vim, downloaders
    | .*\.sb-.*                                             # macOS saving safely
    | ~\$.*                                                 # owner files of office programs
    | ~syncthing~.*
    | \#.*\#                                                # Emacs saving by itself
    | 4913                                                  # vim finding out whether it may write here
    | thumbs\.db | ehthumbs\.db | desktop\.ini | icon\r
    | @eadir | \#recycle | \$recycle\.bin | system\ volume\ information | lost\+found | __macosx
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_CONFLICT_COPY = re.compile(
    r"""
      .*\.sync-conflict-\d{8}-\d{6}.*                                             # Syncthing
    | .*\((.*\W)?(conflict(ed|ing)?\ copy|case\ conflict)\b.*\).*                  # Dropbox, Nextcloud, ownCloud
    | .*_conflict-\d{8}-\d{6}.*                                                   # ownCloud and Nextcloud before
    | .*\[conflict(ed)?(\ \d+)?\].*                                               # Google Drive, pCloud
    | .*\(SFConflict\ .*\).*                                                      # Seafile
    | .*-(DESKTOP|LAPTOP|WIN)-[A-Z0-9]{6,11}(-\d+)?(\.[^.]*)?                     # OneDrive: the computer's name
    | .*\.conflict(\d*|-\d+)(\..*)?                                               # Resilio, rclone bisync, Unison
    | .*\((.*\W)?(Konfliktkopie|in\ Konflikt\ stehende\ Kopie|copie\ en\ conflit|copia\ en\ conflicto).*\).*
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""How tools that keep folders alike name what two sides changed at once: one of the two was, or will be, taken."""


def ignored(name: str) -> bool:
    """Whether files and folders of this name are never taken."""
    return _IGNORED.fullmatch(name) is not None or conflict_copy(name)


def conflict_copy(name: str) -> bool:
    """Whether a sync tool made this file because two sides had changed another one at once."""
    return _CONFLICT_COPY.fullmatch(name) is not None
