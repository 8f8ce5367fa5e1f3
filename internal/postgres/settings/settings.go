// Package settings is the section "postgresql" of a campaign file: PostgreSQL
// clusters by name.
//
//	postgresql:
//	  appdb:
//	    servers: [postgresql://db1.example.org, postgresql://db2.example.org]
//	    ca_file: ca.pem
//	    bind: {role: rollcall, password: kv/rollcall/appdb#password}
//
// It is a package of its own because package config reads it, and the client
// (internal/postgres) stands on that.
package settings

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// Type is the key of the section.
const Type = "postgresql"

// Section reads clusters.
var Section = authority.Section{
	Type:  Type,
	What:  "PostgreSQL cluster",
	Ports: ports,
	Keys:  []string{"servers", "formerly", "database", "ca_file", "bind", "password", "rehearsal", "connections", "timeout"},
	Read:  read,
	Decode: func(text []byte) (authority.Settings, error) {
		var c Cluster
		err := json.Unmarshal(text, &c)
		return c, err
	},
}

// Cluster is one PostgreSQL cluster: a primary and its replicas by streaming
// replication.
type Cluster struct {
	// Servers are postgresql:// URLs with their ports, as config.ServerAt
	// writes them. The first is the primary.
	Servers []string `json:"servers"`
	// Addresses are where servers are dialled whose name had one when the roll
	// was listed. No campaign file has them.
	Addresses map[string]string `json:"addresses,omitempty"`
	// Formerly are servers that the cluster had before and has no more.
	Formerly []string `json:"formerly,omitempty"`
	// Database is where the worker logs in, and where values are tried.
	Database string `json:"database"`
	// CA is the PEM text of ca_file; empty means the system's roots.
	CA string `json:"ca,omitempty"`
	// Bind is the role as which the worker works, or a pair of them.
	Bind []authority.Login `json:"bind"`
	// Password is the policy for new values.
	Password authority.PasswordPolicy `json:"password"`
	// Rehearse is a bogus role to rehearse with, or leave to make one.
	Rehearse authority.Rehearsal `json:"rehearsal,omitzero"`
	// Connections of each role of the worker's at each server. Default 8.
	Connections int `json:"connections"`
	// Timeout of one operation. Default 10s.
	Timeout time.Duration `json:"timeout"`
}

const example = "postgresql://db1.example.org:5432"

// ports are the usual ones, by scheme.
var ports = map[string]string{"postgresql": "5432"}

func read(f authority.Fields) authority.Settings {
	c := Cluster{
		Servers: f.Servers("servers", ports, example), Formerly: f.Servers("formerly", ports, example),
		Database: cmp.Or(f.Text("database"), "postgres"), CA: f.CA("ca_file"),
		Bind:        f.Logins("bind", "role", "the role with which the worker sets passwords"),
		Password:    f.Passwords(),
		Rehearse:    f.Rehearsal(),
		Connections: f.Integer("connections", 8, 1, 256),
		Timeout:     f.Duration("timeout", 10*time.Second, 100*time.Millisecond, 10*time.Minute),
	}
	if !f.Has("servers") {
		f.Problem("servers", "missing: list every server of the cluster, the primary first, for example [%s]; the old value is proved dead on each", example)
	}
	return c
}

// Type is authority.Settings.
func (c Cluster) Type() string { return Type }

// Kinds is authority.Settings.
func (c Cluster) Kinds() []credential.Kind { return []credential.Kind{credential.PostgresPassword} }

// ServerNames is authority.Settings.
func (c Cluster) ServerNames() []string { return c.Servers }

// WithServers is authority.Settings.
func (c Cluster) WithServers(names []string, addresses map[string]string) authority.Settings {
	c.Servers, c.Addresses = names, addresses
	return c
}

// DialledAt is authority.Settings.
func (c Cluster) DialledAt(server string) string { return c.Addresses[server] }

// FormerServers is authority.Settings.
func (c Cluster) FormerServers() []string { return c.Formerly }

// Logins is authority.Settings.
func (c Cluster) Logins() []authority.Login { return slices.Clone(c.Bind) }

// Passwords is authority.Settings.
func (c Cluster) Passwords() authority.PasswordPolicy { return c.Password }

// Rehearsal is authority.Rehearsed.
func (c Cluster) Rehearsal() authority.Rehearsal { return c.Rehearse }

// Limits is authority.Settings.
func (c Cluster) Limits() authority.Limits {
	return authority.Limits{Connections: c.Connections}
}

// ClearText is authority.Settings: a server without TLS is refused.
func (c Cluster) ClearText() bool { return false }
