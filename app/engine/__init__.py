"""What runs on Faust: the transport, the apps and how they are run."""
