"""Everything that touches the outside world. Stages import domain objects from here, never the reverse."""
