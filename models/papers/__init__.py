"""Networks of the papers that are studied; none of them ships."""
