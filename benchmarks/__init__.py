"""What is measured, against whom. Speed is printed and never asserted; ratios are of runs side by side."""
