package directory

import (
	"context"
	"regexp"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// driver is what differs between the sorts of servers that a directory can
// be of (driver in the campaign file).
type driver interface {
	// mayStoreAsSent: what a reset of that sort (set of the campaign file)
	// brings may be kept as it is.
	mayStoreAsSent(set string) bool

	// logsAsSent is what a server shows of logs that have new passwords as they
	// are.
	logsAsSent(ctx context.Context, c *Client, server string) (logsAsSent, error)

	// idAttribute holds an entry's immutable identity; identity reads it, in
	// the usual text form and in lower case, and idFilter finds the entry by
	// it.
	idAttribute() string
	identity(e *ldap.Entry) string
	idFilter(id string) string
	idForm() *regexp.Regexp // what idFilter takes, in any case

	// stateAttributes tell whether an account is in order and when its password
	// changed.
	stateAttributes() []string
	// markAttributes are those of them that the change mark is made of
	// (Client.Changed).
	markAttributes() []string
	// keptAttributes tell how it keeps its password, and what a reset would
	// break. The account itself is not asked for them.
	keptAttributes() []string

	// locks is what Client.Locks says: the policy, and the failures that the
	// entry shows. Of an empty entry it is the policy of one that names none.
	locks(ctx context.Context, c *Client, server string, e Entry) (policy lockout, failures string, err error)
	// showLocks is the right with which bind.dn would see which policy locks.
	showLocks() string

	// demands are those of the password policies that are shown, and exempt
	// says under which condition resets by an operation are not bound by them;
	// empty: there is none.
	demands(ctx context.Context, c *Client, server string) []demand
	exempt(set string) string

	// lockEnds is when the lock of an entry ends by itself; zero if it does
	// not, or that is not shown.
	lockEnds(ctx context.Context, c *Client, server string, e Entry) time.Time

	// bindControls and searchControls go with every bind and search.
	bindControls() []ldap.Control
	searchControls() []ldap.Control

	// refusedLogin says what the refusal of a bind means. An error: nothing
	// that is known of the value or the account.
	refusedLogin(s *server, err error) (protocol.Reply, error)
	// withoutSelf decides after a successful bind as an account that may not
	// read its own entry, which is to be the one with that id. The entry is
	// given where the worker read it.
	withoutSelf(ctx context.Context, c *conn, dn, id string) (protocol.Reply, Entry, error)

	// beforeReset runs before a reset: what the driver has to see, or to wait
	// for, first. A refusal of the server (*ldap.Error) ends the reset, and
	// nothing was changed.
	beforeReset(ctx context.Context, c *conn, dn string) error
	// reset sends one operation that sets a password. old may be zero.
	reset(l *ldap.Conn, set, dn string, new, old credential.Secret) error
	// landed runs after a reset that the server has said is done, until it is.
	landed(ctx context.Context, c *conn, dn string)
	// refusal turns the server's answer to a reset into the reason that keeps
	// the credential open, or into an error if the answer does not rule out
	// that it was applied. No detail repeats the server's words: they may name
	// the entry.
	refusal(s *server, err error, oldSent bool) error

	// bogus is how a bogus account of that name is made below a place, and what
	// enables it once it has a password (nil: nothing has to).
	bogus(name, under string) (dn string, add *ldap.AddRequest, enable *ldap.ModifyRequest)

	// passThrough are the plug-ins that ask somebody else about a password.
	passThrough() []string
	// forces and forcing are what Client.Forced and Client.Forcing say. policy
	// is the one that the entry names; empty without one.
	forces(ctx context.Context, c *Client, server, policy string) (bool, error)
	forcing(ctx context.Context, c *Client, server string) (policies []string, mend string, err error)
	// contexts is what Client.Contexts says. An error: it is not shown.
	contexts(ctx context.Context, c *Client, server, base string) ([]Context, error)
	// standing is whether the server of c takes changes. It changes nothing.
	standing(ctx context.Context, c *conn) (Standing, error)
	// started is the entry and attribute that say when the server was started:
	// of two machines commonly at different seconds. Empty where no server says
	// it.
	started() (dn, attribute string)
	// others is what Client.Others says, without the names that accepted takes.
	others(ctx context.Context, c *Client, accepted func(name string) bool) (Others, error)
	// replicators are the accounts as which a server logs in to others.
	replicators(ctx context.Context, c *Client, server string) (replicators, error)
	// check looks at what only this driver has, on a connection bound as the
	// worker's identity. write says that it is the write server.
	check(ctx context.Context, c *conn, write bool, add addCheck)
	// mayReset looks whether the identity of c may reset the entry dn, as far
	// as the server shows that.
	mayReset(ctx context.Context, c *conn, dn string, add addCheck)
}

// addCheck records what a doctor looked at.
type addCheck func(what string, ok bool, detail, do string)

// FilterByID is the filter that finds an entry by its immutable id in a
// directory of that driver. id must be in the form that the driver
// gives it.
func FilterByID(driver, id string) string { return drivers[driver].idFilter(id) }

// drivers by their name in the campaign file.
var drivers = map[string]driver{
	config.OpenLDAP:        openLDAP{},
	config.DS389:           ds389{},
	config.ActiveDirectory: activeDirectory{},
}
