// Package authority is what the rest of Rollcall knows of the systems that
// decide whether credentials are valid, whatever their type: as the campaign
// file describes them (Settings), and opened (System).
//
// A new type is a folder of its own. It holds the section of the campaign file
// with its checks, the client with its servers, the look-up of accounts and
// what doctor checks. Two tables name it: the sections of package config and
// the systems of internal/kind/registry. Kinds of credential stand on it.
// docs/adding-a-kind.md lists the rest. Vault itself is no type: there is one,
// and no campaign file describes it.
package authority

import (
	"time"

	"rollcall/internal/credential"
)

// Settings are an authority as the campaign file describes it. They are data:
// marshalled to JSON they travel with the campaign, and Section.Decode reads
// them again.
type Settings interface {
	// Type is the key of the campaign file under which such authorities are
	// named.
	Type() string
	// Kinds are the kinds of credential that its accounts can have, the usual
	// one first.
	Kinds() []credential.Kind
	// ServerNames are its servers, as the ledger names them; the first is the
	// write server.
	ServerNames() []string
	// WithServers is a copy with the servers that were found when the roll was
	// listed. addresses say where those are dialled whose name had one then.
	WithServers(names []string, addresses map[string]string) Settings
	// DialledAt is the address where a server is dialled whose name had one
	// when the roll was listed, or "".
	DialledAt(server string) string
	// Logins are those with which Rollcall works there: one, or a pair of
	// which each resets the other.
	Logins() []Login
	// Passwords says how new ones are made; the zero value where the authority
	// makes them itself, or has none.
	Passwords() PasswordPolicy
	// FormerServers are servers that it had before and has no more: campaigns
	// knew it by them.
	FormerServers() []string
	// Limits are those of the authority as a whole.
	Limits() Limits
	// ClearText: the file allows that secrets cross the network unencrypted.
	ClearText() bool
}

// Login is an account of Rollcall's own at an authority, and where in Vault its
// secret lies.
type Login struct {
	Name   string
	Secret credential.Path
}

// Limits bound what a campaign does to an authority.
type Limits struct {
	// RatePerSecond is the most operations in a second; 0 means no limit.
	RatePerSecond float64
	// Connections is the most credentials between Set and the proof at once.
	Connections int
}

// PasswordPolicy says how new values are made.
type PasswordPolicy struct {
	// VaultPolicy is the name of a Vault password policy; if set, Vault
	// generates and the other fields are not allowed.
	VaultPolicy string `json:"vault_policy,omitempty"`
	Length      int    `json:"length,omitempty"`  // default 32, at least 16, at most 128
	Symbols     string `json:"symbols,omitempty"` // allowed symbols; default "-_."; "" is not "none": use NoSymbols
	NoSymbols   bool   `json:"no_symbols,omitempty"`
}

// Section is one type's part of the campaign file.
type Section struct {
	// Type is its key at the top of the file. Below it stand the authorities
	// by name.
	Type string
	// What is one of them, for messages: "PostgreSQL cluster".
	What string
	// Ports are the usual ones of its servers' URLs, by scheme.
	Ports map[string]string
	// Keys that an authority may have there.
	Keys []string
	// Read reads one authority. Mistakes go to f.Problem, all of them; what it
	// returns then does not matter.
	Read func(f Fields) Settings
	// Decode reads what Settings marshalled to.
	Decode func(json []byte) (Settings, error)
}

// Fields is one mapping of the campaign file, for a Section to read. A method
// that meets a mistake notes it, with its line, and returns the zero value or
// the default.
type Fields interface {
	Has(key string) bool
	// Text is the text of a key, or "".
	Text(key string) string
	// Required is Text, and a problem that ends with why if the key is missing.
	Required(key, why string) string
	OneOf(key, def string, words []string) string
	Boolean(key string) bool
	Integer(key string, def, lo, hi int) int
	// Number is a number that is not negative.
	Number(key string, hi float64) float64
	Duration(key string, def, lo, hi time.Duration) time.Duration
	// Servers are the servers under a key, as config.ServerAt writes them: URLs
	// of one of the schemes, each with its usual port.
	Servers(key string, ports map[string]string, example string) []string
	// CA is the PEM text of the file that a key names.
	CA(key string) string
	// Logins reads what stands under a key: one login, or a list of two that
	// can reset each other. name is the key of its name.
	Logins(key, name, why string) []Login
	// Passwords reads the key "password".
	Passwords() PasswordPolicy
	// Rehearsal reads the key "rehearsal": create, or account.
	Rehearsal() Rehearsal
	// Problem notes a mistake at a key, which the message names first.
	Problem(key, format string, args ...any)
}
