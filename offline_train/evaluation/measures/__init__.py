"""The measures, a module for each family; none depends on a system or a rung."""
