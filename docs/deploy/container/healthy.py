"""Exit code 0 when the status page of this container answers that all is well, else 1 with what it said.

The address is that of [web] in the config: HEALTH_URL, when it is not the default.
"""

import os
import sys
import urllib.error
import urllib.request

URL = os.environ.get("HEALTH_URL", "http://127.0.0.1:8090/healthz")


def main() -> int:
    """Ask once. No proxy is asked on the way: the answer is this container's own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(URL, timeout=8) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        sys.stderr.write(f"{URL}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
