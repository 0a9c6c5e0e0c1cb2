"""What is told to people about the decisions: plan, diff and explain, as values, as JSON, as text.

    study      everything that was read and decided about a set of resources, in one value
    plan       the rows of `herald plan`
    diff       what is different between two plans
    explain    why a service, an address, a pool, a peer or a node is announced, or not
    table      rows and columns, before anybody decides how they are drawn
    *_table    the tables of plan and diff

Nothing is decided here, and nothing is read or printed.
"""
