"""The custom resources as they stand on the wire: a typed module per kind, and what turns text into them.

`manifest` reads documents out of text, `scheme` knows every kind, `decode` makes a typed object or says what is wrong,
`crd` gives the CustomResourceDefinitions that follow from the types. Meaning is made of all this in `herald.config`.
"""
