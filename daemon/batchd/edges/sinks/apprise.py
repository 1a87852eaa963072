"""Apprise: one form of address for very many services. It is an extra, imported where a sink needs it."""

from anyio import to_thread

from batchd.notice import DONE, Attempt, Message, Told

MISSING = "apprise is not installed: pip install 'batchd[notify]'"


class AppriseSink:
    """A service that apprise knows; its own HTTP follows its own rules, not ours."""

    def __init__(self, url: str) -> None:
        """Make one.

        Args:
            url: Of the settings, in apprise's form.
        """
        self._url = url

    async def deliver(self, message: Message) -> Attempt:
        """Try once to deliver a message."""
        # One that is cancelled is left to itself: it ends with its own time-outs.
        return await to_thread.run_sync(self._deliver, message, abandon_on_cancel=True)

    def _deliver(self, message: Message) -> Attempt:
        try:
            import apprise  # noqa: PLC0415  an extra, and slow
        except ImportError:
            return Attempt(Told.AGAIN, MISSING)
        # No file of settings, no plugins from files, no attachments: what an address says is all there is.
        asset = apprise.AppriseAsset(plugin_paths=[], async_mode=False)
        service = apprise.Apprise(asset=asset)
        if not service.add(self._url):
            return Attempt(Told.AGAIN, "apprise does not know this form of address")
        body = "\n".join(message.lines) or message.title
        taken = service.notify(body=body, title=message.title, body_format=apprise.NotifyFormat.TEXT)
        return DONE if taken else Attempt(Told.AGAIN, "apprise could not deliver it")
