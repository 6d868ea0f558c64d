"""Exit code 0 while the page at HEALTH_URL answers: `python -m deploy.image.health`."""

import os
import ssl
import sys
import urllib.request

if __name__ == "__main__":
    # A certificate names the host that browsers ask for, not the loopback.
    context = ssl._create_unverified_context()  # noqa: S323
    url = os.environ["HEALTH_URL"]
    try:
        urllib.request.urlopen(url, timeout=3, context=context).close()  # noqa: S310 - its own
    except OSError as error:
        sys.exit(f"{url}: {error}")
