"""The events' JSON Schemas: of the types that everybody has, and those in which a shop declares its own."""
