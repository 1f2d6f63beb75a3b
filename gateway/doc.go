// Package gateway is the bridge itself: it accepts events, plans what is owed for them, delivers it, and turns what
// people do at the desks into decisions that are delivered back.
//
// One event:
//
//	source ─▶ accept ─▶ EVENT ─▶ plan ─▶ DELIVERY ─▶ deliver ─▶ desk ─▶ ATTEMPT + LINK
//
// One decision:
//
//	desk ─▶ receive ─▶ CHANGE ─▶ re-read the ticket ─▶ judge ─▶ DECISION ─▶ DELIVERY ─▶ deliver ─▶ source ─▶ ATTEMPT
//
// Both ways are the same machine: a decision that goes back is a delivery like any other, with the same retries,
// attempts, dead letters and replay.
//
//	step     does                                                      writes, in one transaction
//	accept   verify, limit, decode, drop what is known, commit         event, case, or quarantine
//	plan     every rule of the source; pure                            links, deliveries; event planned
//	deliver  claim lane heads, act, classify                           attempt, next state, link, what follows
//	receive  a webhook or a watch says that a ticket moved             change
//	decide   re-read the ticket, judge; pure                           decision and its delivery, or a refusal
//
// A delivery's states:
//
//	pending ─claim─▶ running ─done─▶ delivered
//	running ─temporary─▶ pending, due later      running ─lease gone─▶ pending (a create: in doubt)
//	running ─permanent, or attempts used up─▶ dead      dead ─replay─▶ pending
//	pending, dead ─cancel─▶ canceled (frees the lane)
//
// What must stay in order shares a lane: a link at the desk, the case on the way back. One delivery of a lane runs at a
// time, in seq order. Each connection is worked by the one replica that holds its lease; the lease's epoch fences
// every write of a replica that lost it.
//
// Records for a sink (send.go, records.go) are deliveries as well, of which a worker sends many at once, in their order and
// beside what it does for tickets; a sink that fails as a whole finds each in its place again.
//
// door.go lets requests in, by the verification of their connection; oauth.go gives out the tokens some of them carry.
// subscribe.go keeps webhooks alive that a connector asks its vendor for; keep.go remembers for connectors what changes by
// itself.
// answers.go stands for the ticket where a desk keeps none but asks people: their verified answers are stored, and read and
// judged like a ticket somebody moved.
// votelink.go makes the links some of them answer by, and ballot.go is what such a link shows and takes; package signin says
// who follows it.
// poll.go asks sources what became of requests, for webhooks that were lost: what it finds is accepted like what they send.
// Read accept.go, plan.go, deliver.go, receive.go and decide.go in this order. retry.go and judge decide what happens
// next and are pure.
package gateway
