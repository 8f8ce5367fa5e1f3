package mysql

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// A server may have several accounts of one name (name@host), each with a value
// of its own, and asks the one that is nearest to who logs in. That it refuses
// the stolen value says nothing of the others: whoever renewed one of them has
// forgotten them, perhaps. So the values of all are looked at, as far as their
// table may be read.

// namesakes are the accounts of a name, as a good login found them.
type namesakes struct {
	unseen string // why they cannot be seen; empty if they were
	others []relative
}

// relative is an account of that name for other hosts.
type relative struct {
	host    string
	methods []way
}

// way is one way to log in to an account (VIA … OR …).
type way struct {
	Plugin string `json:"plugin"`
	Hash   string `json:"authentication_string"`
}

// tableRow is a row of mysql.global_priv.
type tableRow struct {
	way
	Or   []way `json:"auth_or"` // an empty one stands for the row's own
	Role bool  `json:"is_role"`
}

// maxNamesakes bounds the accounts of a name that are looked at.
const maxNamesakes = 1000

// meets looks for the accounts of a name, of which one has logged in by s.
func (d *MySQL) meets(ctx context.Context, s *session, login, who string) namesakes {
	if d.at.Reader == "" {
		return s.namesakes(login, who)
	}
	value, err := d.shared(ctx)
	if err != nil || value.IsZero() {
		return namesakes{unseen: "the value of its reader is not in Vault"}
	}
	r, done, err := d.greeted(ctx)
	if err != nil {
		return namesakes{unseen: "its reader got no answer"}
	}
	defer done()
	if err := r.login(d.at.Reader, value); err != nil {
		return namesakes{unseen: "its reader is not let in"}
	}
	defer r.quit()
	return r.namesakes(login, who)
}

const cannotRead = "mysql.global_priv cannot be read"

// namesakes reads the accounts of a name, without who itself.
func (s *session) namesakes(login, who string) (out namesakes) {
	// MySQL has no such table, and no second method in its own.
	sql := "SELECT Host, JSON_OBJECT('plugin', plugin, 'authentication_string', authentication_string) FROM mysql.user WHERE User = "
	if strings.Contains(s.version, "MariaDB") {
		sql = "SELECT Host, Priv FROM mysql.global_priv WHERE User = "
	}
	rows, err := s.query(fmt.Sprintf("%sX'%x'", sql, login), 2)
	if err != nil {
		return namesakes{unseen: cannotRead}
	}
	for _, row := range rows {
		var of tableRow
		if err := json.Unmarshal(row[1], &of); err != nil {
			return namesakes{unseen: cannotRead}
		}
		host := string(row[0])
		if of.Role && host == "" || login+"@"+host == who {
			continue
		}
		methods := []way{}
		for _, w := range of.Or {
			if w != (way{}) {
				methods = append(methods, w)
			}
		}
		out.others = append(out.others, relative{host, append(methods, of.way)})
	}
	return out
}

// refused says what a refusal means, given the accounts of that name.
func (d *MySQL) refused(login string, value credential.Secret, code string) door.Said {
	known, met := d.namesakes.Load(login)
	if !met {
		return door.Said{Reply: protocol.Refused, Code: code}
	}
	of := known.(namesakes)
	if of.unseen != "" && !d.at.OneAccount {
		return door.Said{Reply: protocol.NotThisWay, Code: code + "; other accounts of that name cannot be seen (reader, one_account): " + of.unseen}
	}
	unsure := ""
	for _, r := range of.others {
		switch has, known := r.takes(value); {
		case has:
			return door.Said{Reply: protocol.Restricted, Code: code + "; the account of that name for the host " + short(r.host) + " has this value"}
		case !known:
			unsure = r.host
		}
	}
	if unsure != "" {
		return door.Said{Reply: protocol.NotThisWay, Code: code + "; which value that name has for the host " + short(unsure) + " cannot be told"}
	}
	return door.Said{Reply: protocol.Refused, Code: code}
}

// short is a host as an answer's code may have it.
func short(host string) string {
	line := conn.Line(host)
	return line[:min(len(line), 30)]
}

// takes reports whether an account has a value, and whether that can be told.
func (r relative) takes(value credential.Secret) (has, known bool) {
	known = true
	for _, w := range r.methods {
		is, sure := w.takes(value)
		has, known = has || is, known && sure
	}
	return has, known
}

func (w way) takes(value credential.Secret) (has, known bool) {
	switch {
	case w.Plugin == "unix_socket" || w.Plugin == "auth_socket":
		return false, true // it has none
	case w.Plugin == "" || w.Plugin == methodNative:
		once := sha1.Sum([]byte(value.Reveal()))
		return subtle.ConstantTimeCompare([]byte(strings.ToUpper(w.Hash)), fmt.Appendf(nil, "*%X", sha1.Sum(once[:]))) == 1, true
	case w.Plugin == methodEd25519:
		public, _, err := signer(value)
		return err == nil && subtle.ConstantTimeCompare([]byte(strings.TrimRight(w.Hash, "=")), []byte(base64.RawStdEncoding.EncodeToString(public))) == 1, err == nil
	}
	return false, false
}

// query gives the rows of a statement that has so many columns.
func (s *session) query(sql string, columns int) (rows [][][]byte, err error) {
	s.next = 0
	if err := s.write(append([]byte{3}, sql...)); err != nil {
		return nil, err
	}
	// How many columns, what each is, an end, the rows, an end.
	for i := 0; ; i++ {
		p, err := s.read()
		over := err == nil && p[0] == isSwitch && len(p) <= 5
		switch {
		case err != nil:
			return nil, err
		case p[0] == isError:
			return nil, refusal(p)
		case i == 0 && !bytes.Equal(p, []byte{byte(columns)}), i == 1+columns && !over, len(rows) > maxNamesakes:
			return nil, errForeign
		case i <= 1+columns:
		case over:
			return rows, nil
		default:
			row, err := cells(p, columns)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
}

// cells are the texts of a row, each with its length in front. NULL is none.
func cells(p []byte, columns int) ([][]byte, error) {
	out := make([][]byte, 0, columns)
	for range columns {
		if len(p) == 0 {
			return nil, errForeign
		}
		n, at := int(p[0]), 1
		switch {
		case n == 0xfb:
			n = 0
		case n == 0xfc && len(p) >= 3:
			n, at = int(p[1])|int(p[2])<<8, 3
		case n > 0xfb:
			return nil, errForeign
		}
		if len(p) < at+n {
			return nil, errForeign
		}
		out, p = append(out, slices.Clone(p[at:at+n])), p[at+n:]
	}
	if len(p) > 0 {
		return nil, errForeign
	}
	return out, nil
}

// readable is what keeps the accounts of a name from being looked at, for
// doctor; nil where nobody is said to read them.
func (d *MySQL) readable(ctx context.Context, s *session, nobody string) error {
	if d.at.Reader == "" {
		return nil
	}
	if of := d.meets(ctx, s, nobody, ""); of.unseen != "" {
		return errors.New(of.unseen)
	}
	return nil
}
