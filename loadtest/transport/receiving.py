"""An endpoint that takes every webhook at once, and looks at none."""

from loadtest.transport.instant import response, serve

if __name__ == "__main__":
    taken = response(b"")
    serve(lambda _, __: taken)
