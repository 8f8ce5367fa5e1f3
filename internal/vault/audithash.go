package vault

import (
	"context"
	"strings"

	"rollcall/internal/credential"
)

// AuditHash is what an audit device writes in the place of a value. Whoever has
// such hashes can find a value in the device's log, and whoever may ask for them
// can guess short ones: the right to it is no part of what `init` gives.
func (c *Client) AuditHash(ctx context.Context, device string, value credential.Secret) (string, error) {
	device = strings.Trim(device, "/")
	hash, err := c.api.Sys().AuditHashWithContext(ctx, device, value.Reveal())
	if err != nil {
		return "", c.Fail("hash a value as the audit device does", "sys/audit-hash/"+device, "update", err)
	}
	return hash, nil
}
