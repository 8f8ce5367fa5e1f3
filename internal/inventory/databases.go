package inventory

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/paste"
)

// databaseEngine is the type of Vault's secrets engine for databases
// (https://developer.hashicorp.com/vault/api-docs/secret/databases). It logs in
// with a connection's username, whose password it keeps where nobody reads it,
// and sets the passwords of its static roles. Of a dynamic role it makes an
// account for each who asks, which is on no roll.
const databaseEngine = "database"

// databaseSchemes are those of servers at which such a connection logs in, by
// what begins its URL, or is in its plugin's name where it has no URL.
var databaseSchemes = map[string]string{"postgres": "postgresql://"}

// connection is one of the engine's, as far as it tells whom it means.
type connection struct {
	username string
	in       map[string][]string // the authorities where it may log in
	hosts    []string            // of which none is a server of those; empty: it is certain
	unread   bool
}

// The folders of such an engine.
var (
	connections   = keptFolder{folder: "config", fields: []string{"plugin_name", "connection_details"}}
	databaseRoles = keptFolder{folder: "static-roles", fields: []string{"username", "db_name"}}
)

// databases begins to read with whom an engine logs in to authorities of the
// campaign, and whose passwords it keeps there.
func (l *lister) databases(mount string) {
	if len(l.anySystem()) == 0 {
		return
	}
	e := &engine{mount: mount, kind: databaseEngine}
	l.engines = append(l.engines, e)
	l.readFolders(e, []keptFolder{connections, databaseRoles})
}

// keptInDatabases notes what was read.
func (l *lister) keptInDatabases(ctx context.Context, e *engine) error {
	for _, f := range e.folders {
		if !f.known || slices.ContainsFunc(f.entries, func(k keptEntry) bool { return !k.shown }) {
			e.hidden = append(e.hidden, e.mount+"/"+f.folder)
		}
	}
	known := map[string]connection{}
	for _, k := range e.folders[0].entries {
		if k.shown && k.data == nil {
			continue // gone since it was listed
		}
		c := l.connectionOf(ctx, k.data)
		known[k.name] = c
		if c.username != "" && len(c.in) > 0 && l.concerns(c.in) {
			at := e.mount + "/config/" + k.name
			l.uses = append(l.uses, vaultUse{at: at, names: []string{c.username}, in: c.in, write: "password=…", unsure: c.question(at)})
		}
	}
	for _, k := range e.folders[1].entries {
		username, _ := k.data["username"].(string)
		db, _ := k.data["db_name"].(string)
		c, ok := known[db]
		if !ok {
			c = connection{in: l.anySystem(), unread: true}
		}
		if username != "" && len(c.in) > 0 && l.concerns(c.in) {
			at := e.mount + "/static-roles/" + k.name
			l.uses = append(l.uses, vaultUse{at: at, names: []string{username}, in: c.in, rotate: "vault write -f " + paste.Shell(e.mount+"/rotate-role/"+k.name), unsure: c.question(e.mount + "/config/" + db)})
		}
	}
	if len(e.hidden) > 0 {
		l.notShown(e.mount, "it is a secrets engine of Vault for databases, and this login may not read there with which account Vault logs in, or whose passwords it keeps (%s): if it is one of the roll, a new password from here ends what Vault does there, and cuts off what reads it there", strings.Join(e.hidden, ", "))
	}
	return nil
}

// question is put where the connection may be to another system.
func (c connection) question(at string) string {
	switch {
	case c.unread:
		return fmt.Sprintf(". Whether it is this system's account cannot be told, for %s is not there, or not shown to this login: if it is another one's, accept it with that reason", at)
	case len(c.hosts) > 0:
		return fmt.Sprintf(". Whether it is this system's account cannot be told by the address (%s) of %s, which is none of the servers of the campaign file: name that server there if it is one of its, or accept it with that reason if it is another system's", strings.Join(c.hosts, ", "), at)
	}
	return ""
}

// connectionOf reads a connection; nil: it may not be read, and may be to any.
func (l *lister) connectionOf(ctx context.Context, data map[string]any) connection {
	if data == nil {
		return connection{in: l.anySystem(), unread: true}
	}
	plugin, _ := data["plugin_name"].(string)
	details, _ := data["connection_details"].(map[string]any)
	text := func(key string) string { v, _ := details[key].(string); return strings.TrimSpace(v) }
	scheme := ""
	for word, of := range databaseSchemes {
		if strings.HasPrefix(text("connection_url"), word) || !strings.Contains(text("connection_url"), "://") && strings.Contains(plugin, word) {
			scheme = of
		}
	}
	if scheme == "" {
		return connection{} // another sort of database
	}
	user, hosts := cutConnection(text("connection_url"))
	c := connection{username: text("username"), in: map[string][]string{}}
	if c.username == "" && !strings.Contains(user, "{{") {
		c.username = user
	}
	for name, s := range l.systemsAt(scheme) {
		for _, server := range s {
			if slices.ContainsFunc(hosts, func(h string) bool { return l.sameMachine(ctx, scheme+h, server, l.c.Systems[name].DialledAt(server)) }) {
				c.in[name] = append(c.in[name], server)
			}
		}
	}
	if len(c.in) == 0 { // a balancer, another name, or another system
		if c.hosts = hosts; len(hosts) == 0 {
			c.hosts = []string{"none that is understood"}
		}
		for name := range l.systemsAt(scheme) {
			c.in[name] = nil
		}
	}
	return c
}

// systemsAt are the authorities with servers of a scheme, and those.
func (l *lister) systemsAt(scheme string) map[string][]string {
	out := map[string][]string{}
	for name, s := range l.c.Systems {
		for _, server := range s.ServerNames() {
			if text, _ := config.SplitServer(server); strings.HasPrefix(text, scheme) {
				out[name] = append(out[name], server)
			}
		}
	}
	return out
}

func (l *lister) anySystem() map[string][]string {
	out := map[string][]string{}
	for _, scheme := range databaseSchemes {
		for name := range l.systemsAt(scheme) {
			out[name] = nil
		}
	}
	return out
}

// defaultPort is libpq's.
const defaultPort = "5432"

// cutConnection gives the user and the hosts, with their ports, of a connection
// string: a URL of one or several hosts, or key=value pairs (libpq, section
// "Connection Strings"). Vault fills in {{username}}, so no URL parser takes
// it.
func cutConnection(text string) (user string, hosts []string) {
	join := func(host, port string) {
		if host = strings.Trim(host, "[] "); host != "" && !strings.HasPrefix(host, "/") {
			hosts = append(hosts, net.JoinHostPort(host, port))
		}
	}
	_, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		var names, ports []string
		for _, pair := range strings.Fields(text) {
			key, value, _ := strings.Cut(pair, "=")
			value = strings.Trim(value, "'")
			switch key {
			case "user":
				user = value
			case "host", "hostaddr":
				names = append(names, strings.Split(value, ",")...)
			case "port":
				ports = strings.Split(value, ",")
			}
		}
		for i, host := range names {
			port := defaultPort
			if len(ports) > 0 {
				port = ports[min(i, len(ports)-1)]
			}
			join(host, port)
		}
		return user, hosts
	}
	rest, query, _ := strings.Cut(rest, "?")
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		user, _, _ = strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "/")
	for _, pair := range strings.Split(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); key == "host" || key == "hostaddr" {
			rest += "," + value
		}
	}
	for _, at := range strings.Split(rest, ",") {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			host, port = at, defaultPort
		}
		if port == "" {
			port = defaultPort
		}
		join(host, port)
	}
	return user, hosts
}
