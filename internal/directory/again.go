package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Again is what new connections to one server showed of accounts that it was
// asked about before.
type Again struct {
	// Contradicts says what shows that several machines answered. Empty:
	// nothing does.
	Contradicts string
	// Machine is what one machine keeps to, for comparison with an earlier
	// look; it may have been started again meanwhile.
	Machine string
	// Marks are the newest change marks that were shown, by immutable id.
	Marks map[string]string
}

// LookAgain reads accounts over n new connections to one server, held at once,
// and over the first of them once more if a later one showed more. mark gives
// the change mark of an entry, which on one machine only grows. It takes n
// binds as the worker's identity and no login with a value under test.
func (c *Client) LookAgain(ctx context.Context, server string, uuids []string, n int, mark func(Entry) string) (Again, error) {
	s, err := c.server(server)
	if err != nil {
		return Again{}, err
	}
	conns, odd, err := s.openMany(ctx, n)
	if err != nil || odd != "" {
		return Again{Contradicts: odd}, err
	}
	defer closeAll(conns)
	uuids = slices.DeleteFunc(slices.Clone(uuids), func(id string) bool { return !c.driver.idForm().MatchString(id) })
	var sights []sight
	for _, cn := range conns {
		seen, err := cn.introduce(ctx)
		if err != nil {
			return Again{}, err
		}
		sights = append(sights, seen)
	}
	out := Again{Contradicts: contradiction(sights), Machine: sights[0].machine(), Marks: map[string]string{}}
	grew := false
	for i, cn := range append(conns, conns[0]) {
		if i == len(conns) && !grew {
			break // the first connection once more would show what all have shown
		}
		entries, err := c.entriesOver(ctx, cn, uuids)
		if err != nil {
			return Again{}, err
		}
		for _, id := range uuids {
			at := mark(entries[id])
			if _, there := entries[id]; !there {
				at = ""
			}
			if at < out.Marks[id] && out.Contradicts == "" {
				out.Contradicts = "one connection showed an account as it was before its last change, which another connection had shown already"
			}
			grew = grew || i > 0 && at > out.Marks[id]
			out.Marks[id] = max(out.Marks[id], at)
		}
	}
	return out, nil
}

// machine is what a machine keeps to, also when it is started again.
func (s sight) machine() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.fixed)) {
		if s.fixed[name] != "" && name != rootID {
			parts = append(parts, name+" "+s.fixed[name])
		}
	}
	return strings.Join(parts, "; ")
}

// entriesOver reads the change marks of entries by their ids over one
// connection.
func (c *Client) entriesOver(ctx context.Context, cn *conn, uuids []string) (map[string]Entry, error) {
	attrs := c.markedAttributes()
	found := map[string]Entry{}
	for chunk := range slices.Chunk(uuids, accountsChunk) {
		req := ldap.NewSearchRequest(c.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2*len(chunk), 0, false,
			anyID(c.driver, chunk), attrs, c.driver.searchControls())
		var res *ldap.SearchResult
		err := cn.do(ctx, "look at accounts again", func(l *ldap.Conn) (err error) {
			res, err = l.Search(req)
			return err
		})
		if answered(err) {
			return nil, fmt.Errorf("directory %s: look at accounts again at %s: %s", c.name, cn.server.name, describe(err))
		}
		if err != nil {
			return nil, err
		}
		for _, e := range res.Entries {
			found[c.driver.identity(e)] = c.entry(e, attrs)
		}
	}
	return found, nil
}
