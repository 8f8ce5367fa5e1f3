package protocol

const (
	noAnswer  = "no answer from this server yet, so whether it still takes the stolen value is not known: bring it back, and the next pass asks it"
	noServers = "the authority has no servers, so nothing was proved: name them in the campaign file and run again"
)

// Dead decides whether evidence from servers proves the old value dead, or
// what keeps the credential open. Every server of the authority must be in
// the evidence exactly once; servers is the full list.
//
// oldKnown says whether the old value could be offered at all. If it could not,
// the proof is the change time (weaker, and named so): before is the change
// time of each server from before the reset. Where a server keeps one secret
// for an account and takes the new one, that is proof enough.
func Dead(servers []string, ev []Evidence, oldKnown bool, before map[string]string) (Proof, *Stop) {
	seen := map[string]Evidence{}
	for _, e := range ev {
		seen[e.Server] = e
	}
	for _, s := range servers {
		e, ok := seen[s]
		if !ok {
			return "", &Stop{Reason: ReasonUnreachable, Server: s, Detail: noAnswer}
		}
		if st := judge(e, oldKnown, before[s]); st != nil {
			return "", st
		}
	}
	if len(servers) == 0 {
		return "", &Stop{Reason: ReasonInternal, Detail: noServers}
	}
	if oldKnown {
		return ProofBind, nil
	}
	return ProofMetadata, nil
}

func judge(e Evidence, oldKnown bool, before string) *Stop {
	if oldKnown {
		switch {
		case e.Old == Refused:
		case e.Old.Right():
			return &Stop{Reason: ReasonOldAccepted, Server: e.Server, Detail: "this server still accepts the stolen value, although another one is set: repair replication to it or take it off the network, and on the server that is written to find out what puts the old one back"}
		default:
			return StopFor(e.Old, e.Server)
		}
	}
	switch e.New {
	case Accepted:
	case Refused:
		return &Stop{Reason: ReasonNewRefused, Server: e.Server, Detail: "this server refuses the new value, so its refusal of the old one proves nothing: see whether replication has brought it there, and in which state the account is there; the next pass asks again"}
	default:
		return StopFor(e.New, e.Server)
	}
	if !oldKnown && !e.OnlyOne && (e.Changed == "" || e.Changed == before) {
		return &Stop{Reason: ReasonLagging, Server: e.Server, Detail: "the change time has not advanced and the old value is unknown, so nothing proves it dead: repair replication to this server; the next pass looks again"}
	}
	return nil
}

// Ended decides whether evidence proves that what is only ended, with nothing
// new in its place, is there no more: on every server exactly once.
func Ended(servers []string, ev []Evidence) *Stop {
	seen := map[string]Evidence{}
	for _, e := range ev {
		seen[e.Server] = e
	}
	for _, s := range servers {
		switch e, ok := seen[s]; {
		case !ok:
			return &Stop{Reason: ReasonUnreachable, Server: s, Detail: noAnswer}
		case e.Old != Gone || e.New != NotAsked:
			return &Stop{Reason: ReasonOldAccepted, Server: s, Detail: "this server still knows what was to be ended: the next pass ends it once more; if it stays, end it by hand (vault token revoke -accessor) and find out who makes it anew"}
		}
	}
	if len(servers) == 0 {
		return &Stop{Reason: ReasonInternal, Detail: noServers}
	}
	return nil
}
