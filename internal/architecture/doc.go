// Package architecture holds no code: its tests hold the rules on which
// package may import which, each with its reason. See docs/architecture.md.
package architecture
