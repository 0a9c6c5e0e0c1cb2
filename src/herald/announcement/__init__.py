"""Facts to wishes: who announces which address, how, and if nobody, why.

    reason        why not, as data: the one value that plan, explain, log and events turn into the same words
    readiness     what the EndpointSlices of a service say, summed up
    gate          what must hold before any protocol is asked: type, class, address, pool
    eligibility   what the advertisements that reach a service make possible on which node
    election      which of the eligible nodes answers for an address in Layer 2
    sessions      which BGP sessions a node keeps, and under which names
    routes        which routes a service contributes to a session, and how several become one
    decide        all of it for one service and every node: what plan, explain and lint show
    desired       all of it for one node and every service: what a speaker wishes for
    incremental   the same wish, kept up to date service by service: what a speaker runs on

Everything here is a function of its arguments. `decide` and `incremental` use the same parts, so that what a speaker
does is what the plan says.

On purpose not as in MetalLB: a node that could answer nowhere is no candidate (`eligibility`), a route that no session
carries is no announcement (`decide.unheard`), and of several contributions to one prefix the most preferred wins
(`routes`). `docs/differences.md` lists it all.
"""
