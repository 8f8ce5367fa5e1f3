package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/listing"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// statesTimeout bounds the look at accounts: what it does not see, the run
// does.
const statesTimeout = time.Minute

// seenAtOnce is how many accounts are in memory with all that their entries
// have.
const seenAtOnce = 500

// tellRefusing marks the accounts of a roll that refuse every login as they are
// now (locked, disabled, expired), or that one more wrong login would lock: the
// run would leave them open, so list, plan and doctor say so before. The roll
// of a campaign has no such marks, for its passes ask again. It takes one
// search for a hundred accounts, and no login. unseen are those of which
// nothing was shown.
func (s *session) tellRefusing(ctx context.Context, roll *credential.Roll) (unseen []string) {
	ctx, cancel := context.WithTimeout(ctx, statesTimeout)
	defer cancel()
	type lane struct {
		authority string
		kind      credential.Kind
	}
	lanes := map[lane][]int{} // places on the roll
	for i, c := range roll.Credentials {
		if c.Problem == "" && c.Subject != "" && !s.own(c) && len(roll.Servers[c.Authority]) > 0 {
			at := lane{c.Authority, c.Kind}
			lanes[at] = append(lanes[at], i)
		}
	}
	spec := listing.Servers{Servers: roll.Servers, Addresses: roll.Addresses}.Of(s.cfg)
	why := map[string]protocol.Reason{}
	s.locks = map[string]int{}
	for at, places := range lanes {
		// What cannot be opened, the listing or doctor says.
		var many kind.Many
		if authority, err := s.kinds.Authority(spec, at.authority, at.kind); err == nil {
			many, _ = kind.As[kind.Many](authority)
		}
		for some := range slices.Chunk(places, seenAtOnce) {
			cs := make([]credential.Credential, 0, len(some))
			for _, i := range some {
				cs = append(cs, roll.Credentials[i])
			}
			var seen map[string]kind.Account
			if many != nil {
				seen = many.Accounts(ctx, roll.Servers[at.authority][0], cs)
			}
			for _, c := range cs {
				a, there := seen[c.ID]
				if !there {
					unseen = append(unseen, c.Name)
					continue
				}
				why[c.ID], s.locks[c.ID] = wouldStay(c, a), a.Locks
			}
		}
	}
	slices.Sort(unseen)
	for i, c := range roll.Credentials {
		if r := why[c.ID]; r != "" {
			roll.Credentials[i].Problem = credential.Problem(r)
		}
	}
	return unseen
}

// notShown says of which accounts nobody saw whether they refuse every login.
func notShown(unseen []string) []doctorRow {
	if len(unseen) == 0 {
		return nil
	}
	return []doctorRow{{Where: "roll", What: "accounts now", OK: true, NotChecked: true,
		Detail: fmt.Sprintf("%s: the write server did not show in time whether locked, disabled or expired, so the run finds it out: %s",
			report.Plural(len(unseen), "account", "accounts"), strings.Join(unseen[:min(maxOpen, len(unseen))], "; "))}}
}

// wouldStay is why the run would leave an account open as it is now, or
// nothing.
func wouldStay(c credential.Credential, a kind.Account) protocol.Reason {
	switch {
	case a.State != protocol.Accepted && a.State != "":
		return protocol.StopFor(a.State, "").Reason
	case a.Unnumbered():
		return protocol.ReasonRights
	case slices.Contains(a.Hindered, credential.ForcedChange) && !slices.Contains(c.Accepted, credential.ForcedChange):
		return protocol.ReasonForced
	case a.SecretHidden && c.Adopted && len(c.Ours) == 0 && !slices.Contains(c.Accepted, credential.PasswordHidden):
		return protocol.ReasonPasswordHidden
	case a.Locks > 0 && a.Locks-1-a.Failed <= 0 && len(c.Paths) > len(c.Ours) && !c.Adopted && len(c.Confirmed) == 0: // what an earlier campaign put there is not asked about
		return protocol.ReasonNearLock
	}
	return ""
}
