package ownmount

import "time"

// LateFor is how long a reset without an answer may still arrive: what stands
// between us and the server may hold it (a balancer, a firewall that keeps
// connections itself). Our own kernel does not, see directory.conn.change.
const LateFor = 2 * time.Minute

// MayArrive is for how long what was sent without an answer may still arrive; 0
// if by now it cannot. Two workers' clocks may be apart by more than that, so
// it goes by Vault's (ServerTime) where that is known, which has it noted after
// it was sent. own is this worker's.
func (st Staged) MayArrive(own time.Time, vaults func() (now time.Time, said bool)) time.Duration {
	if st.Late.IsZero() {
		return 0
	}
	since := own.Sub(st.Late)
	if !st.Noted.IsZero() {
		since = min(since, own.Sub(st.Noted))
		if now, said := vaults(); said {
			since = now.Sub(st.Noted)
		}
	}
	return max(0, LateFor-since)
}

// AfterProof is what Unstage leaves of an entry: nothing, or where a reset may
// still arrive its time, for whoever would set another value.
func (st Staged) AfterProof(own time.Time, vaults func() (now time.Time, said bool)) (left Staged, stays bool) {
	return Staged{Campaign: st.Campaign, Attempt: st.Attempt, CreatedAt: st.CreatedAt, Late: st.Late, Freed: true, Version: st.Version},
		st.MayArrive(own, vaults) > 0
}
