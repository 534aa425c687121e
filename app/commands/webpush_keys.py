"""`boomerang webpush-keys`: a pair of keys by which browsers and their push services know the shop (VAPID)."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Print a new pair as settings. Subscriptions belong to a pair: another one, and every browser has to subscribe again."""
    from channels.jwt import new_pair

    del args
    private, public = new_pair()
    print(f"BOOMERANG_WEBPUSH_PRIVATE_KEY={private}\nBOOMERANG_WEBPUSH_PUBLIC_KEY={public}")
    return 0
