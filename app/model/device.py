"""What a customer was last there with: words of the `deviceKind` of an event, and of conditions."""

KINDS = ("mobile", "tablet", "desktop", "app")
"""`app`: the shop's own, on whatever device."""
SYSTEMS = ("android", "ios", "windows", "macos", "linux", "chromeos", "other")
