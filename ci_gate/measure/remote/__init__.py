"""Workers on other machines: what they and the master of a recording say to each other, beside Locust."""
