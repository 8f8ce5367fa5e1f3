package rotation

import (
	"errors"

	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// stopOf is why an account that is not in order keeps its credential open.
func stopOf(account kind.Account, server string) *protocol.Stop {
	return protocol.StopFor(account.State, server).LockedUntil(account.LockedUntil)
}

// asStop makes a value of any trouble. What is not a Stop or Vault's own error
// is an answer that was lost.
func asStop(err error) *protocol.Stop {
	var stop *protocol.Stop
	if errors.As(err, &stop) {
		return stop
	}
	var v *vault.Error
	if errors.As(err, &v) {
		return v.Stop()
	}
	if stop := protocol.GivenUp(err); stop != nil {
		return stop
	}
	text := err.Error()
	var named interface{ Public() string } // it names what may not travel
	if errors.As(err, &named) {
		text = named.Public()
	}
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Detail: text}
}

func withServer(s *protocol.Stop, server string) *protocol.Stop {
	if s.Server == "" && s.Reason != protocol.ReasonInternal && s.Reason != protocol.ReasonOtherOwner {
		s.Server = server
	}
	return s
}
