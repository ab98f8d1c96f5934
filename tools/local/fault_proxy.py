"""Runs `microburst` in this process, the fault proxy between the functions and S3, with three things set right without which S3
through it would not be S3.

Host: it writes the emulator's address over it. The signature covers it, and the emulator checks that, as AWS does. It stays as it was sent.

Length: it takes `Content-Length` for a matter between neighbours and leaves it out, both ways. A HEAD of an object then has
no size, and an upload comes in chunks, which S3 does not take. It is passed on.

No body: a request without one is sent on with an empty body in chunks. It stays without.
"""

import sys

from microburst import cli, forward

_headers, _relay = forward.Upstream._outbound_headers, forward.Upstream.relay


def _as_signed(upstream, request):
    return _headers(upstream, request) | {"host": request.headers["Host"]}


async def _as_it_came(upstream, request, body, mutator=None, data=None):
    return await _relay(upstream, request, body if body is not None or request.can_read_body else b"", mutator, data)


if __name__ == "__main__":
    forward.HOP_BY_HOP = forward.HOP_BY_HOP - {"content-length"}
    forward.Upstream._outbound_headers, forward.Upstream.relay = _as_signed, _as_it_came
    sys.exit(cli.main())
