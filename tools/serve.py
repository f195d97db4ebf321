"""Serve the built book on a free local port: `python -m tools.serve`."""

import functools
import http.server
import sys

from tools.project import HTML, ROOT


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass  # one line a request would bury the address


def server(port=0):
    """Port 0 asks the system for a free one."""
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=str(HTML)))


def main():
    if not (HTML / "index.html").exists():
        sys.exit(f"error: {HTML.relative_to(ROOT)} has no book yet; build it with: python -m tools.book")
    with server() as book:
        print(f"The book is at http://127.0.0.1:{book.server_port}/  (Ctrl+C stops it)", flush=True)
        try:
            book.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
