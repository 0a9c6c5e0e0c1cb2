"""Which address a service gets. Pure: no I/O, no clock, no chance, no logging.

request      what a service asks for                     allocation   what comes out: Allocation or Refusal
sharing      who may share an address with whom          verdict      why a pool did not help
stock        one family of one pool: the lowest address  pool_table   all pools
counters     what a pool's status shows                  allocator    who has what: register, allocate, release
converge     one Service: kept, cleared or served        assign       all Services, whatever their order
"""
