package inventory

import "context"

// Whoever logs in to a namespace of Vault sees nothing of those above it: their
// tokens, logins, identities and audit devices are in no list of a child's. And
// a policy of a parent may read the child's paths by their full names
// (path "team/kv/data/…").

// namespacesAbove is a place that a person can accept.
const namespacesAbove = "namespaces-above"

// besideNamespace warns where there may be namespaces above the one that our
// login sees: by the client's header, or because the listener shows no more
// than one (chroot_namespace).
func (l *lister) besideNamespace(ctx context.Context) error {
	within := l.vault.API().Namespace()
	if within == "" {
		got, err := l.readVault(ctx, "sys/internal/ui/resultant-acl")
		if err != nil {
			return err
		}
		within, _ = got["chroot_namespace"].(string)
	}
	if within == "" {
		return nil
	}
	l.unsure(namespacesAbove, "Rollcall sees the namespace "+within+" of Vault alone: whose tokens, logins and identities of the namespaces above it read new values here, what the device's own may have made there, and which audit devices keep values as they are, was not looked at",
		"have whoever administers Vault look there for policies with paths of this namespace, for logins and tokens that have them (vault list auth/token/accessors), and for the device's own (vault audit list -detailed)")
	return nil
}
