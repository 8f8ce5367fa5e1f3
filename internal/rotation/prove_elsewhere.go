package rotation

import (
	"context"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// RefusedElsewhere is why what a person has changed is not dead at an account
// that has its login too, or nil: each server of the account's authority
// refuses each stolen value. Nothing is changed there, and the new value is not
// offered, which may be none of its own. No wrong login is made that could lock
// the account.
func RefusedElsewhere(ctx context.Context, au kind.Authority, at credential.AccountAt, olds []credential.Secret) *protocol.Stop {
	c := at.Credential()
	limited, limits := kind.As[kind.Limited](au)
	for _, server := range au.Servers() {
		wrong := 0
		for _, old := range olds {
			if limits && limited.CannotOffer(old) != "" {
				continue // no login there can carry it
			}
			a, err := au.Account(ctx, server, c)
			switch {
			case err != nil:
				return protocol.AsStop(err)
			case a.State == protocol.Gone:
				continue
			case a.State != protocol.Accepted:
				return atAccount(protocol.StopFor(a.State, server), at)
			case a.Locks > 0 && a.Locks-1-a.Failed < 1, a.Locks == 0 && wrong >= maxWrongLogins:
				return atAccount(&protocol.Stop{Reason: protocol.ReasonNearLock, Server: server, Detail: "one more wrong login could lock the account, so it was not asked"}, at)
			}
			switch reply, err := au.Offer(ctx, server, a, old); {
			case err != nil:
				return protocol.AsStop(err)
			case reply == protocol.Accepted || reply == protocol.MustChange || reply == protocol.PasswordExpired:
				return atAccount(&protocol.Stop{Reason: protocol.ReasonOldAccepted, Server: server, Detail: "its doors refuse the stolen value, and this server takes it"}, at)
			case reply != protocol.Refused:
				return atAccount(protocol.StopFor(reply, server), at)
			}
			if wrong++; !inOrder(ctx, au, server, c) {
				return atAccount(&protocol.Stop{Reason: protocol.ReasonLocked, Server: server, Detail: "the account refused the stolen value, and whether as a wrong one is not known: it is not in order since"}, at)
			}
		}
	}
	return nil
}

func inOrder(ctx context.Context, au kind.Authority, server string, c credential.Credential) bool {
	a, err := au.Account(ctx, server, c)
	return err == nil && a.State == protocol.Accepted
}

// atAccount says whose account it is, and not by its name: a stop travels.
func atAccount(stop *protocol.Stop, at credential.AccountAt) *protocol.Stop {
	out := *stop
	out.Detail = fmt.Sprintf("%s: %s has an account with the login of this task (the listing names it: %s); change it there as well, or exclude it if it has nothing to do with it", stop.Detail, at.Authority, credential.FindingSameName)
	return &out
}
