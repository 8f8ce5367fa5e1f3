package postgres

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"rollcall/internal/authority"
)

// Rule is a line of pg_hba.conf as the server reads the file now
// (pg_hba_file_rules), which may differ from what it last loaded.
type Rule struct {
	Line      int
	Type      string // local, host, hostssl, hostnossl, hostgssenc, hostnogssenc
	Databases []string
	Roles     []string
	Address   string // a name, an address, or one with a prefix length
	Method    string
	// Of a line that has passwords checked by a directory: as whom the server
	// looks people up there, at which servers, and below which entry. The
	// password stands in the line and is not read.
	BindDN string
	At     []string
	Below  string
	Error  string // the line is of no use, and so is the whole file at the next reload
	// Quoted: the file has a word such as all in quotes somewhere, where it is
	// a mere name. The view shows no quotes, so that any word of a line may be
	// one.
	Quoted bool
}

// Rules are the lines of pg_hba.conf of one server; false where our identity
// may not read them. Superusers may, and who was granted SELECT on
// pg_hba_file_rules and EXECUTE on the function below it.
func (c *Client) Rules(ctx context.Context, server string) ([]Rule, bool, error) {
	s, err := c.server(server)
	if err != nil {
		return nil, false, err
	}
	var out []Rule
	err = s.read(ctx, "read pg_hba.conf", func(ctx context.Context, conn *session) (err error) {
		out, err = conn.rules(ctx)
		return err
	})
	if refusal(err) == codeInsufficientRight {
		return nil, false, nil
	}
	return out, err == nil, err
}

func (c *session) rules(ctx context.Context) ([]Rule, error) {
	rows, err := c.Query(ctx, `SELECT line_number, coalesce(type, ''), coalesce(database, '{}'), coalesce(user_name, '{}'),
		coalesce(address, ''), coalesce(netmask, ''), coalesce(auth_method, ''), coalesce(error, ''),
		ARRAY(SELECT o FROM unnest(options) o WHERE split_part(o, '=', 1) IN ('ldapserver', 'ldapport', 'ldapbinddn', 'ldapbasedn'))
		FROM pg_catalog.pg_hba_file_rules`) // in the order in which they are tried
	if err != nil {
		return nil, err
	}
	var out []Rule
	for rows.Next() {
		var r Rule
		var mask string
		var options []string
		if err := rows.Scan(&r.Line, &r.Type, &r.Databases, &r.Roles, &r.Address, &mask, &r.Method, &r.Error, &options); err != nil {
			return nil, err
		}
		r.asksDirectory(options)
		r.Address = withMask(r.Address, mask)
		out = append(out, r)
	}
	return out, rows.Err()
}

// asksDirectory reads the options of a line of the method ldap (PostgreSQL 15
// documentation, 21.10). Several servers stand in one option, with blanks
// between them.
func (r *Rule) asksDirectory(options []string) {
	port, servers := "", ""
	for _, o := range options {
		switch name, value, _ := strings.Cut(o, "="); name {
		case "ldapserver":
			servers = value
		case "ldapport":
			port = value
		case "ldapbinddn":
			r.BindDN = value
		case "ldapbasedn":
			r.Below = value
		}
	}
	for _, host := range strings.Fields(servers) {
		at := "ldap://" + host
		if strings.Contains(host, ":") && !strings.Contains(host, "[") { // an IPv6 address
			at = "ldap://[" + host + "]"
		}
		if port != "" {
			at += ":" + port
		}
		r.At = append(r.At, at)
	}
}

// binds is as whom a server logs in to directories to check passwords.
func binds(server string, rules []Rule) (out []authority.Bind) {
	for _, r := range rules {
		if r.BindDN != "" && r.Error == "" {
			out = append(out, authority.Bind{Name: r.BindDN, URLs: r.At, Below: r.Below,
				Where: fmt.Sprintf("line %d of pg_hba.conf of %s", r.Line, server),
				Mend:  "write it there as ldapbindpasswd, on every server that has such a line, and SELECT pg_reload_conf()"})
		}
	}
	return out
}

// withMask writes an address with its prefix length, where it has a mask that
// is one.
func withMask(address, mask string) string {
	m, err := netip.ParseAddr(mask)
	if err != nil {
		return address
	}
	ones, bits := net.IPMask(m.AsSlice()).Size()
	if bits == 0 || ones == bits {
		return address
	}
	return fmt.Sprintf("%s/%d", address, ones)
}

// Admits reports whether a line may let a role in that is a member of groups.
func (r Rule) Admits(role string, groups []string) bool {
	return slices.Contains(r.Roles, "all") || r.names(role, groups)
}

// names reports whether a line names the role itself or a group of it. A
// pattern (/…, from version 16 on) may.
func (r Rule) names(role string, groups []string) bool {
	return slices.ContainsFunc(r.Roles, func(name string) bool {
		group, isGroup := strings.CutPrefix(name, "+")
		return name == role || isGroup && (group == role || slices.Contains(groups, group)) || strings.HasPrefix(name, "/")
	})
}

func (r Rule) remote() bool { return r.Type != "local" }

// replication: a line for "replication" alone lets nobody into a database.
func (r Rule) replication() bool { return len(r.Databases) == 1 && r.Databases[0] == "replication" }

// Elsewhere reports whether somebody else checks the password that a line asks
// for: what is set here is then not what logs in.
func (r Rule) Elsewhere() bool {
	return slices.Contains([]string{"ldap", "pam", "radius", "bsd"}, r.Method)
}

// Open reports whether a line lets in from the network without any proof: a
// password is worth nothing there, stolen or new.
func (r Rule) Open() bool { return r.Method == "trust" && r.remote() }

// Readable reports whether a password may cross the network in clear text.
func (r Rule) Readable() bool {
	return (r.Method == "password" || r.Elsewhere()) && (r.Type == "host" || r.Type == "hostnossl" || r.Type == "hostnogssenc")
}

// Passwordless reports whether a line asks for no password: for nothing, or for
// another proof of who it is.
func (r Rule) Passwordless() bool {
	return slices.Contains([]string{"trust", "peer", "ident", "cert", "gss", "sspi"}, r.Method)
}

// Lines that admit a role by something else than its own password, with what
// that means. only reports that there is no line by which its own is asked for,
// while somebody else checks one.
func Lines(rules []Rule, role string, groups []string) (lines []string, only bool) {
	own, elsewhere := false, false
	for _, r := range rules {
		switch {
		case r.Error != "" || !r.Admits(role, groups) || r.replication() || r.Method == "reject":
		case r.Passwordless():
			lines = append(lines, fmt.Sprintf("line %d lets in from %s without a password (%s)", r.Line, r.from(), r.Method))
		case r.Elsewhere():
			elsewhere = true
			lines = append(lines, fmt.Sprintf("line %d has the password checked elsewhere (%s)", r.Line, r.Method))
		default:
			own = true
		}
	}
	return lines, elsewhere && !own
}

func (r Rule) from() string {
	if r.Address == "" {
		return "this machine"
	}
	return r.Address
}

// judgeRules says what is wrong with the lines as a whole, so that no campaign
// begins with it, and what is worth knowing: the roles that those lines let in
// are open by themselves. powerful are roles that may set the passwords of
// others: whoever comes in as one of them, without a password and from another
// machine, sets them again.
func judgeRules(rules []Rule, powerful []Who) (wrong, known []string) {
	for _, r := range rules {
		switch {
		case r.Error != "":
			wrong = append(wrong, fmt.Sprintf("line %d is wrong, so that the file is not loaded: what is in force is an older one", r.Line))
		case r.Open():
			text := fmt.Sprintf("line %d lets in from %s without a password (trust)", r.Line, r.from())
			if !r.machine() && slices.ContainsFunc(powerful, r.lets) {
				wrong = append(wrong, text+", also roles that set the passwords of others")
			} else {
				known = append(known, text)
			}
		case r.Readable():
			wrong = append(wrong, fmt.Sprintf("line %d lets passwords cross the network in clear text (%s %s)", r.Line, r.Type, r.Method))
		case r.Elsewhere():
			known = append(known, fmt.Sprintf("line %d has passwords checked elsewhere (%s): roles that log in by it are no accounts of this cluster", r.Line, r.Method))
		}
	}
	return wrong, known
}
