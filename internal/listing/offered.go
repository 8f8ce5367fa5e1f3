package listing

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
)

// Offered remembers what accounts refused when a listing offered it to them. A
// listing that fails is tried again, and again, and a wrong login for each
// would lock them. The zero value is ready; it is safe for concurrent use.
type Offered struct {
	mu   sync.Mutex
	seen map[string][]offered
}

type offered struct {
	value credential.Secret
	at    time.Time
}

// offeredFor is longer than directories count wrong logins as a rule.
const offeredFor = time.Hour

func (o *Offered) refused(id string, v credential.Secret) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := slices.DeleteFunc(o.seen[id], func(x offered) bool { return time.Since(x.at) > offeredFor })
	if len(list) == 0 {
		delete(o.seen, id)
		return false
	}
	o.seen[id] = list
	return slices.ContainsFunc(list, func(x offered) bool { return x.value.Equal(v) })
}

func (o *Offered) note(id string, v credential.Secret) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string][]offered{}
	}
	o.seen[id] = append(o.seen[id], offered{v, time.Now()})
}

// by is how a listing offers a value to an account that no source names
// (inventory.Authorities.Asks).
func (o *Offered) by(kinds *registry.Registry, spec *config.Campaign) func(context.Context, credential.Credential, credential.Secret) (bool, string) {
	return func(ctx context.Context, c credential.Credential, v credential.Secret) (takes bool, why string) {
		if o.refused(c.ID, v) {
			return false, ""
		}
		au, err := kinds.Authority(spec, c.Authority, c.Kind)
		if err != nil {
			return false, err.Error()
		}
		reply, why := offer(ctx, au, c, v)
		if reply == protocol.Refused {
			o.note(c.ID, v)
		}
		return reply != protocol.Refused && why == "", why
	}
}

// offer offers a value once, where one wrong login does not lock the account.
// Without a reason the answer is Refused, or the value is the one in force.
func offer(ctx context.Context, au kind.Authority, c credential.Credential, v credential.Secret) (reply protocol.Reply, why string) {
	server := au.Servers()[0]
	if limited, ok := kind.As[kind.Limited](au); ok && limited.CannotOffer(v) != "" {
		return protocol.Refused, "" // no login can carry it, so it is nobody's password here
	}
	a, err := au.Account(ctx, server, c)
	switch {
	case err != nil:
		return "", server + " does not show the account"
	case a.State == protocol.Gone:
		return protocol.Refused, ""
	case a.State != protocol.Accepted:
		return "", "the account is " + string(a.State)
	case a.Locks > 0 && a.Locks-1-a.Failed < 1:
		return "", "one more wrong login would lock it"
	}
	reply, err = au.Offer(ctx, server, a, v)
	if err != nil {
		return "", server + " did not answer"
	}
	switch reply {
	case protocol.Accepted, protocol.MustChange, protocol.PasswordExpired:
		return reply, ""
	case protocol.Refused:
		// Taken at its word only if the account is still in order.
		if a, err = au.Account(ctx, server, c); err == nil && a.State == protocol.Accepted {
			return reply, ""
		}
		return reply, "it was refused, and whether as a wrong password is not known"
	}
	return reply, server + " answers: " + string(reply)
}
