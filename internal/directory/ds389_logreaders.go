package directory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/ldapacl"
)

// A retro changelog in which new passwords stand as they were sent is as good
// as the passwords themselves to whoever may read it. Access to it is a matter
// of its own tree: the rules of the directory's say nothing of it.

// byLog stands in Resets.ReadAs for an account that reads the log: it is asked
// anew by that.
const byLog = "changelog"

// aLogEntry is one of those in which a change stands.
const aLogEntry = "changenumber=1,cn=changelog"

// LogReaders are those of some accounts, by immutable id, that may read new
// passwords in a log of changes of one of the servers, by the rules that it
// shows. An error means that this does not show, or that a server does not
// answer. answering: those that do are enough.
func (c *Client) LogReaders(ctx context.Context, ids []string, answering bool) (out []string, err error) {
	f, ok := c.driver.(interface {
		logReaders(ctx context.Context, c *conn, who []string) (map[string]bool, error)
	})
	if !ok || len(ids) == 0 {
		return nil, nil
	}
	may := map[string]bool{}
	for _, s := range c.servers {
		log, err := c.driver.logsAsSent(ctx, c, s.name)
		if answering && IsUnreachable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !log.retro {
			continue
		}
		err = s.admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
			found, err := f.logReaders(ctx, cn, ids)
			maps.Copy(may, found)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(may)), nil
}

// logReaders are those of who that may read cn=changelog.
func (ds389) logReaders(ctx context.Context, c *conn, who []string) (map[string]bool, error) {
	log, err := c.readMany(ctx, "cn=changelog", ldap.ScopeBaseObject, "(objectClass=*)", "aci")
	if err != nil && !answered(err) {
		return nil, err
	}
	if len(log) != 1 || len(log[0].GetAttributeValues("aci")) == 0 {
		return nil, errors.New("who may read cn=changelog (its aci) is not shown to bind.dn")
	}
	rules, err := c.acis(ctx, log, ldapacl.ACIReadsLog)
	if err != nil {
		return nil, err
	}
	if len(rules.undecided) > 0 {
		return nil, errors.New("an aci of cn=changelog lets somebody read it by what is not worked out here: " + strings.Join(rules.undecided, ", "))
	}
	if rules.hidden {
		return nil, errors.New("who is in a group that an aci of cn=changelog names is not shown to bind.dn")
	}
	named, err := c.namedBy(ctx, who)
	if err != nil && !answered(err) {
		return nil, err
	}
	out := map[string]bool{}
	for _, a := range named {
		for _, id := range who {
			if strings.EqualFold(id, a.id) && rules.may(aLogEntry, a.dn) {
				out[id] = true
			}
		}
	}
	return out, nil
}
