// Package auth decides who asks and what they may ask for.
package auth

import (
	"context"
	"slices"
)

// UnitPrimitive is GitLab's name for a right, as a token's scopes list it.
type UnitPrimitive string

const (
	CompleteCode UnitPrimitive = "complete_code"
	GenerateCode UnitPrimitive = "generate_code"
	// CodeSuggestions stood for both completion and generation before GitLab 17.6.
	CodeSuggestions UnitPrimitive = "code_suggestions"

	DuoChat              UnitPrimitive = "duo_chat"
	DocumentationSearch  UnitPrimitive = "documentation_search"
	ExplainVulnerability UnitPrimitive = "explain_vulnerability"
	SummarizeComments    UnitPrimitive = "summarize_comments"
	TroubleshootJob      UnitPrimitive = "troubleshoot_job"
	AskBuild             UnitPrimitive = "ask_build"
	AskCommit            UnitPrimitive = "ask_commit"
	AskEpic              UnitPrimitive = "ask_epic"
	AskIssue             UnitPrimitive = "ask_issue"
	AskMergeRequest      UnitPrimitive = "ask_merge_request"
)

// Claims is what a verified token says.
type Claims struct {
	Issuer       string
	Subject      string // the instance, or the user if this gateway issued the token
	Scopes       []string
	Realm        string // "saas" or "self-managed"
	InstanceID   string
	DuoSeatCount string
}

// Principal is who sent a request. It is not changed once made.
type Principal struct {
	Claims       Claims
	GlobalUserID string // pseudonymous; from the request's header
	SelfSigned   bool   // this gateway issued the token, for direct access of an editor
	Debug        bool   // authentication is bypassed: everything is allowed
}

// Can reports whether the principal has one of the rights. A right that was renamed between
// GitLab versions is asked for by all its names.
func (p *Principal) Can(oneOf ...UnitPrimitive) bool {
	if p.Debug {
		return true
	}
	return slices.ContainsFunc(oneOf, func(u UnitPrimitive) bool { return slices.Contains(p.Claims.Scopes, string(u)) })
}

// CanFromGitLab is Can for what a token issued by this gateway itself must not do.
func (p *Principal) CanFromGitLab(oneOf ...UnitPrimitive) bool {
	return (p.Debug || !p.SelfSigned) && p.Can(oneOf...)
}

type contextKey struct{}

// With returns a context that carries the principal.
func With(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns the request's principal. Where authentication was skipped it is one without any
// rights.
func From(ctx context.Context) *Principal {
	if p, ok := ctx.Value(contextKey{}).(*Principal); ok {
		return p
	}
	return &Principal{}
}
