package authority

import (
	"context"

	"rollcall/internal/credential"
)

// System is an opened authority. It is safe for concurrent use, and every
// method keeps to its context's deadline.
type System interface {
	// Servers lists every server by a name fit for the ledger, the write
	// server first. Never empty.
	Servers() []string
	// Discover names every server at this moment, each by its address, and
	// those that the file leaves to be found.
	Discover(ctx context.Context) (Found, error)
	// Ready logs in to the write server with Rollcall's own login, and changes
	// nothing. The error says what is not in order and what to do.
	Ready(ctx context.Context) error
	// Check looks at all that a campaign needs there, and at what it needs for
	// the accounts with these immutable ids. It changes nothing.
	Check(ctx context.Context, subjects ...string) []Check
	// Close releases connections.
	Close() error
}

// Comparer is a System that can tell whether another one of its type is the
// same: reached by another name or address, or a part of it.
type Comparer interface {
	System
	// One is what shows it; empty if nothing does.
	One(ctx context.Context, other System) (why string, err error)
}

// Identified is a System that shows of itself which one it is, by whatever name
// and address it is reached.
type Identified interface {
	System
	// Identity is what its write server shows of that. An error means that it
	// did not answer.
	Identity(ctx context.Context) (Identity, error)
}

// Identity is what an authority shows of itself. Its copies show the same.
type Identity struct {
	// Self is an id of all that the campaign file works on there: of a cluster,
	// or of the entry at the base. Empty: it is not shown.
	Self string
	// Within are those of what that is a part of.
	Within []string
}

// Finder is a System that knows accounts by what sources call them.
type Finder interface {
	System
	// Find gives for each reference the accounts that it means on the write
	// server: none where there is no such account, several where the name is
	// ambiguous. A reference is a name or an immutable id. Fails as a whole: a
	// look-up with a hole in it would let a stolen credential live.
	Find(ctx context.Context, references []string) (map[string][]Account, error)
}

// Lister is a Finder that can say by itself which of its accounts tie to a
// device.
type Lister interface {
	Finder
	// Tied gives the accounts for which any of that is so, each with what it
	// was. It fails as a whole, as Find does.
	Tied(ctx context.Context, by Ties) (Tied, error)
}

// Ties are what may tie an account to a device. What is empty ties none.
type Ties struct {
	Name     string // a pattern (config.Matches)
	MemberOf string // a group there
	Network  string // a CIDR from which it logs in
}

// Tied is what a Lister found.
type Tied struct {
	Accounts []Account
	Why      map[string]string // by Subject, for people
	// Warnings are what could not be looked at.
	Warnings []credential.Finding
}

// Account is an account as a listing finds it.
type Account struct {
	Subject string   // immutable id, in lower case
	Name    string   // for people: what it is called now
	Short   string   // for a segment of a path in Vault
	Names   []string // all that people call it
	// Problems keep it from being rotated as it is listed, the gravest first.
	Problems []Problem
	// SecretHidden: whether it has a secret at all is not shown to Rollcall's
	// login.
	SecretHidden bool
	// Findings are what an investigator must look at.
	Findings []credential.Finding
	// Resets: it can reset the secrets of other accounts there, and so goes
	// before them.
	Resets bool
}

// Problem is one that a listing takes over, with what a person should know of
// it.
type Problem struct {
	Code   credential.Problem
	Detail string
}

// Found are the servers of an authority at one moment.
type Found struct {
	// Servers as config.ServerAt writes them, the write server first. A name
	// with several addresses is several servers.
	Servers []string
	// Addresses of servers whose name has one: they are dialled there from now
	// on.
	Addresses map[string]string
	// Notes are what a person should know of it.
	Notes []string
}

// Check is one thing that was looked at before a campaign.
type Check struct {
	Server string
	What   string // connect, certificate, bind, base, policy, rights, clock
	OK     bool
	// NotChecked: it could not be looked at, and nothing says that it is in
	// order. OK is true all the same, because nothing was seen to be wrong.
	NotChecked bool
	Detail     string // what was seen
	Do         string // what to do; empty when OK
	// Stops: no campaign begins with this, because no waiting mends it and no
	// proof would hold. A server that is down is no such thing: the others get
	// new values meanwhile.
	Stops bool
	// Silent: the server did not answer, so that nothing else of it was looked
	// at.
	Silent bool
}

// Knower is a System that knows by itself of servers that may not be asked,
// such as replicas that follow the write server.
type Knower interface {
	System
	// Others says which servers it knows of beside its own. accepted are names
	// that a person has accounted for. An error means that the write server did
	// not answer.
	Others(ctx context.Context, accepted ...string) (Others, error)
}

// Others are servers that an authority knows of and the campaign file does not
// reach.
type Others struct {
	// Names of those servers, or of those among which they are. Empty: none is
	// known of.
	Names []string
	// Detail says where they are named, and how many are not reached.
	Detail string
	// Accepted are the names that a person has accounted for and that the
	// authority knows.
	Accepted []string
	// Hidden says what would have to be shown for an answer, if it is not.
	Hidden string
}

// Namer is a System that finds accounts by names of other authorities, where
// case tells nothing apart.
type Namer interface {
	System
	// Called are the accounts that go by one of many names, in lower case. It
	// fails as a whole, as Find does.
	Called(ctx context.Context, names []string) ([]Account, error)
}
