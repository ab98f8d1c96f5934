"""Runs the emulator in this process, as if behind a proxy that ends TLS.

The template lets nobody in without TLS. The emulator listens on the loopback interface without it, so each request is
marked as a TLS proxy would mark it; one that says otherwise itself is refused, which is how a test shows the rule.
"""

from ministack import app as ministack

_MARK = (b"x-forwarded-proto", b"https")
_emulator = ministack.app


async def _behind_tls(scope, receive, send):
    if scope["type"] == "http" and all(name != _MARK[0] for name, _ in scope["headers"]):
        scope = {**scope, "headers": [*scope["headers"], _MARK]}
    await _emulator(scope, receive, send)


if __name__ == "__main__":
    ministack.app = _behind_tls
    ministack.main()
