"""What limits and tolerances the measured runs support."""
