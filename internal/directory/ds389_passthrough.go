package directory

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

func (openLDAP) passThrough() []string        { return nil }
func (activeDirectory) passThrough() []string { return nil }
func (ds389) passThrough() []string {
	return []string{"PAM Pass Through Auth", "Pass Through Authentication"}
}

// PassesThrough names the plug-ins that are on and ask another system about
// passwords, whatever an entry's userPassword holds (389 Directory Server).
// Empty for other drivers, and where bind.dn may not see the configuration, as
// is usual.
func (c *Client) PassesThrough(ctx context.Context, server string) ([]string, error) {
	var on []string
	for _, name := range c.driver.passThrough() {
		e, found, err := c.one(ctx, server, "", "cn="+name+",cn=plugins,cn=config", ldap.ScopeBaseObject, "(nsslapd-pluginEnabled=on)", []string{"nsslapd-pluginEnabled"})
		if IsUnreachable(err) || ctx.Err() != nil {
			return nil, err
		}
		if err == nil && found && strings.EqualFold(e.First("nsslapd-pluginEnabled"), "on") {
			on = append(on, name)
		}
	}
	return on, nil
}
