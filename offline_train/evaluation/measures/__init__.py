"""The measures, a module for each family; none knows a system or a rung."""
