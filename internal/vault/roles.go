package vault

import (
	"strings"

	"rollcall/internal/credential"
)

// AppRoleMount is where rollcall init makes our roles, and OwnMethod the type
// of that mount.
const (
	AppRoleMount = "approle"
	OwnMethod    = credential.AppRoleMethod
)

// Names of the policies and AppRoles that rollcall init makes.
const (
	WorkerPolicy   = "rollcall-worker"   // lists and rotates; cannot sign or anchor
	LedgerPolicy   = "rollcall-ledger"   // signs and anchors; cannot read a secret
	OperatorPolicy = "rollcall-operator" // lists, plans, starts and reports; reads no staged or live secret but the directories' bind passwords
)

// TasksPolicy is for people who do what Rollcall cannot do itself: each reads
// what is handed over to him, and says what is done. On another mount than
// Rollcall's usual one it has that in its name.
const TasksPolicy = "rollcall-tasks"

// OwnPolicy reports whether a policy is one of Rollcall's own: who has it is a
// worker, or works with Rollcall. Whoever does a task is neither.
func OwnPolicy(name string) bool {
	return strings.HasPrefix(name, "rollcall-") && !ForTasks(name)
}

// ForTasks reports whether a policy is that of people with tasks: by it each
// reads what is handed over to him, and nothing else.
func ForTasks(name string) bool {
	return name == TasksPolicy || strings.HasPrefix(name, TasksPolicy+"-on-")
}

// WorkerRole is the AppRole that init makes for the workers, as mount/role.
// With vault.rotate_login it rotates its own secret-id.
const WorkerRole = AppRoleMount + "/" + WorkerPolicy

// OperatorRole is the one for people.
const OperatorRole = AppRoleMount + "/" + OperatorPolicy

// OwnSecretID is where Vault keeps the secret-id of WorkerRole for all workers.
// It is on our own mount, so that a worker that has no campaign file knows the
// place.
func OwnSecretID(mount string) credential.Path {
	return credential.Path{Mount: mount, Path: "own/" + WorkerPolicy, Field: "secret_id"}
}
