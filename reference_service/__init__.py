"""The reference service that this repository gates. The gate never imports it."""
