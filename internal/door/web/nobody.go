package web

import (
	"crypto/rand"
	"sync/atomic"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// nobody shows a door, once in the life of a process, what nobody has: one that
// takes that lets in whoever comes. Its refusal is remembered, because each try
// may count against this machine's address.
type nobody struct{ refused atomic.Bool }

// nobodys are a login and a value that nobody has.
func nobodys() (login string, value credential.Secret) {
	return "rollcall-nobody-" + rand.Text()[:8], credential.NewSecret(rand.Text())
}

// holds judges an answer: where a value was accepted, one of nobody's is not.
func (n *nobody) holds(said door.Said, ask func(login string, value credential.Secret) door.Said) door.Said {
	if said.Reply != protocol.Accepted || n.refused.Load() {
		return said
	}
	switch ask(nobodys()).Reply {
	case protocol.Accepted:
		return door.Said{Reply: protocol.Guest, Code: said.Code + ", to a user that cannot exist as well"}
	case protocol.Refused:
		n.refused.Store(true)
	}
	return said
}
