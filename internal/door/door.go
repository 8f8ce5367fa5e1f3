// Package door is what the rest of Rollcall knows of doors: services that take
// a credential besides the servers of its authority, and may go on taking the
// old one from a copy of their own. It has a door as the campaign file
// describes it (Settings), the table of types, and what an opened one does
// (Door). How each type is asked stands in a package of its own below this
// one, beside the table of its answers; internal/door/opened opens them.
package door

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Settings are a door as the campaign file describes it. They are data and
// travel with the campaign.
type Settings struct {
	// Type is a key of Types.
	Type string `json:"type"`
	// Address is what is dialled, host:port.
	Address string `json:"address"`
	// At is the IP address that is dialled in place of the host of Address,
	// which has that name: as the campaign file says, or as it was looked up
	// when the roll was listed.
	At string `json:"at,omitempty"`
	// TLS is how the connection is secured: Implicit, StartTLS or ClearText.
	TLS TLS `json:"tls"`
	// CA is the PEM text of ca_file; empty means the system's roots.
	CA string `json:"ca,omitempty"`
	// ServerName is what the certificate is held to; empty means the host of
	// Address.
	ServerName string `json:"server_name,omitempty"`
	// Login is how the name is made with which an account logs in there:
	// {account}, {name} (the DN, the role) or a text with one of them in it.
	Login string `json:"login"`
	// Realm is the one that a login without a realm has there, as the file
	// says; "" is not known.
	Realm string `json:"realm,omitempty"`
	// For says whose door it is: of each credential that one of them matches.
	For []Match `json:"for"`
	// Timeout of one login: connect, secure, ask, answer.
	Timeout time.Duration `json:"timeout"`
	// Path of a web page that the account may read, for https; of the login
	// method, for vault; host:port to which a tunnel is asked for, for
	// http-proxy.
	Path string `json:"path,omitempty"`
	// Auth is how the value is shown there; "" as a password, in the usual way
	// of the type.
	Auth Auth `json:"auth,omitempty"`
	// Header is the name of the field that holds the value, for ByHeader.
	Header string `json:"header,omitempty"`
	// Form says how a login form is sent, and told from its answer, for ByForm.
	Form *Form `json:"form,omitempty"`
	// HostKey is the server's public key, as known_hosts has it, for ssh.
	HostKey string `json:"host_key,omitempty"`
	// Database to log in to, for postgres.
	Database string `json:"database,omitempty"`
	// AuthProtocol and PrivProtocol of a user, for snmp.
	AuthProtocol string `json:"auth_protocol,omitempty"`
	PrivProtocol string `json:"priv_protocol,omitempty"`
	// Cache is how long it goes on taking an old value, as the file says; 0:
	// see Keeping. Software is what it is, of Keepers.
	Cache    time.Duration `json:"cache,omitempty"`
	Software string        `json:"software,omitempty"`
	// Machines is how many there may be behind its address, as the file says;
	// 0: see Looks.
	Machines int `json:"machines,omitempty"`
	// Processes is how many of one machine keep logins of their own there, as
	// the file says; 0: nobody knows. See Settles.
	Processes int `json:"processes,omitempty"`
	// Flush ends that; nil where nothing is to be run.
	Flush *Flush `json:"flush,omitempty"`
	// Secret is where Vault holds the secret that the door and who asks it
	// share, for radius; of snmp the passphrase that signs, with ByPrivacy; of
	// mysql the value of Reader.
	Secret credential.Path `json:"secret,omitzero"`
	// Reader is an account that may read which accounts there are, for mysql;
	// "" is the one that is asked about.
	Reader string `json:"reader,omitempty"`
	// OneAccount, mysql: no name has several accounts there, as the file says.
	OneAccount bool `json:"one_account,omitempty"`
	// Shut is why it is not asked in a campaign that goes on all the same: what
	// was wrong with it when the roll was listed. Nil: nothing.
	Shut *protocol.Stop `json:"shut,omitempty"`
}

// Auth is how a value is shown to a door.
type Auth string

// Ways besides the usual one of a type.
const (
	ByBearer  Auth = "bearer"  // https: as a token (RFC 6750)
	ByHeader  Auth = "header"  // https: in a field of its own
	ByForm    Auth = "form"    // https: in a form that is sent
	ByKey     Auth = "key"     // ssh: it is a private key
	ByAppRole Auth = "approle" // vault: it is a secret id
	ByToken   Auth = "token"   // vault: it is a token
	// BySecret, radius: it is the secret that server and client share.
	BySecret Auth = "shared-secret"
	// ByPrivacy, snmp: it is the passphrase that encrypts, beside another one
	// that signs.
	ByPrivacy Auth = "privacy"
)

// Nameless reports whether no login name goes with the value.
func (a Auth) Nameless() bool {
	return a == ByBearer || a == ByHeader || a == ByToken || a == BySecret
}

// Spends says what a try costs a value whose uses are counted; empty where
// nothing counts them.
func (a Auth) Spends() string {
	switch a {
	case ByToken:
		return "a token whose uses are counted (num_uses) spends two in each pass; the last is left to its owner, but of one of a single use, which the first look spends"
	case ByAppRole:
		return "a secret-id whose uses are counted (num_uses) spends two in each pass, and is not asked where that could leave it none (few-uses)"
	}
	return ""
}

// Form is a login form of a web page.
type Form struct {
	// Body is what is sent (application/x-www-form-urlencoded), with {login}
	// and {value} in it.
	Body string `json:"body"`
	// Action is the path to which it is sent; "" is the page's own.
	Action string `json:"action,omitempty"`
	// Success and Failure tell a good login's answer from a bad one's.
	Success Mark `json:"success"`
	Failure Mark `json:"failure"`
}

// Mark is what an answer is known by: all of the fields that are set.
type Mark struct {
	Status   int    `json:"status,omitempty"`
	Location string `json:"location,omitempty"` // of a redirect
	Body     string `json:"body,omitempty"`     // a text in it
}

// Flush is what ends what a door keeps of an old value: a command on the
// worker's machine, or a web hook. Neither is told a value.
type Flush struct {
	Command []string `json:"command,omitempty"`
	URL     string   `json:"url,omitempty"`
}

// webHookWorks is how long what a web hook began may go on: as long as a
// command has.
const webHookWorks = time.Minute

// Works is how long the work may go on once it was said to be done. A command
// has ended by then. Who answers a web hook may have taken the job on and no
// more (202, RFC 9110 15.3.3), and nothing tells when that is over.
func (f *Flush) Works() time.Duration {
	if f == nil || f.URL == "" {
		return 0
	}
	return webHookWorks
}

// TLS is how a connection is secured.
type TLS string

// Ways to secure one.
const (
	Implicit  TLS = "implicit" // from the first byte on
	StartTLS  TLS = "starttls" // by a command, and nothing is asked before
	ClearText TLS = "none"
	// Itself: by the protocol's own means, without a certificate.
	Itself TLS = "itself"
)

// Match takes credentials by all of the fields that are set.
type Match struct {
	Directory string          `json:"directory,omitempty"` // an authority of the campaign file
	Kind      credential.Kind `json:"kind,omitempty"`
	Account   string          `json:"account,omitempty"` // a pattern on the account's short name
	Line      string          `json:"line,omitempty"`    // of the device's profile
	End       string          `json:"end,omitempty"`     // of what a person does: the door is there
}

// Takes reports whether m takes a credential whose account is called short.
// matches compares a pattern with a name (config.Matches). A login to Vault is
// not taken by its name alone, which services of a directory commonly share
// with it; and what is only ended has no value that could be offered.
func (m Match) Takes(c credential.Credential, short string, matches func(pattern, name string) bool) bool {
	if c.Kind.OnlyEnds() || c.Kind.OpensVault() && m.Directory == "" && m.Kind == "" && m.Line == "" {
		return false
	}
	return (m.Directory == "" || m.Directory == c.Authority) &&
		(m.Kind == "" || m.Kind == c.Kind) &&
		(m.Account == "" || matches(m.Account, short)) &&
		(m.End == "" || c.Task != nil && c.Task.End(m.End) != "") &&
		(m.Line == "" || slices.ContainsFunc(c.Lines, func(l credential.LineRef) bool { return l.Line == m.Line }))
}

// Place is the door for people and the record: its type and address, and where
// that is dialled.
func (s Settings) Place() string {
	if s.At != "" {
		return s.Type + "://" + s.Address + "@" + s.At
	}
	return s.Type + "://" + s.Address
}

// Entrance is Place with what of it is asked: two pages of a server, two login
// methods or two databases may each keep logins of their own. The address
// stands last, as config.ServerAt has it.
func (s Settings) Entrance() string {
	out := s.Type + "://" + s.Address
	if page := cmp.Or(s.Path, s.Database); page != "" {
		out += "/" + strings.ReplaceAll(strings.TrimPrefix(page, "/"), "@", "%40")
	}
	if s.Auth != "" {
		out += "#" + string(s.Auth)
	}
	if s.At != "" {
		out += "@" + s.At
	}
	return out
}

// Asked is what is asked there, and how: two doors may be at one place, as two
// pages of a server are, two roles of a Vault, or the two passphrases of a user
// of SNMP.
func (s Settings) Asked() string {
	form := Form{}
	if s.Form != nil {
		form = *s.Form
	}
	return fmt.Sprintf("%q", []string{s.Place(), s.Login, s.Path, string(s.Auth), s.Header, s.Database, s.AuthProtocol, s.PrivProtocol, form.Body, form.Action})
}

// Pinned is the door by the address that is dialled, with the name that its
// certificate is held to. What opens a door gets no name to look up: DNS could
// lead to another machine by now, and a new value is shown to whoever answers.
func (s Settings) Pinned() Settings {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || s.At == "" {
		return s
	}
	if s.ServerName == "" {
		s.ServerName = host
	}
	s.Address = net.JoinHostPort(s.At, port)
	return s
}

// LoginOf is the name with which an account logs in there.
func (s Settings) LoginOf(short, name string) string {
	return strings.NewReplacer("{account}", short, "{name}", name).Replace(s.Login)
}

// Door is an opened door. It is safe for concurrent use.
type Door interface {
	// Ask logs in once, over a connection of its own that it closes, and says
	// what the door made of the value. Whatever goes wrong is an answer:
	// Unreachable for silence, a connection that breaks off, a certificate that
	// is not its own, more than a server has to say. It keeps to ctx and to
	// Settings.Timeout.
	Ask(ctx context.Context, login string, value credential.Secret) Said
	// Software is what the door says of itself before a login; empty if
	// nothing. The text is the server's own, cut to one printable line.
	Software(ctx context.Context) (string, error)
}

// Made is a door that has its own idea of a value that nobody has: for ssh
// keys, a key. Others are shown a random text.
type Made interface {
	Nonsense() (credential.Secret, error)
}

// Said is an answer, and the door's own code for it ("535", "NO UNAVAILABLE").
// The code names neither a secret nor an account.
type Said struct {
	Reply protocol.Reply
	Code  string
	// Doubt is what a refusal rests on that the door cannot show; for doctor.
	Doubt string
	// Fault is what shows that it is not the door of the campaign file, where
	// that is why it gave no answer.
	Fault Fault
	// UTF8: the server says that it reads logins and values as UTF-8.
	UTF8 bool
	// Verified: the door itself found the value right, whatever came of the
	// login behind it. It is no refusal of the value.
	Verified bool
	// Keeps names what of Keepers gave a refusal by what it knows itself, where
	// an answer of that type shows it (Type.TellsKeeper).
	Keeps string
}

// Unreachable is the Said of a door that gave no answer. why is for people and
// names neither a secret nor an account.
func Unreachable(why string) Said { return Said{Reply: protocol.Unreachable, Code: why} }

// String says what a match takes, as the campaign file has it.
func (m Match) String() string {
	var out []string
	for _, f := range [][2]string{{"directory", m.Directory}, {"kind", string(m.Kind)}, {"account", m.Account}, {"line", m.Line}, {"end", m.End}} {
		if f[1] != "" {
			out = append(out, f[0]+": "+f[1])
		}
	}
	return strings.Join(out, ", ")
}
