package openid

import (
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
)

// RoleRule says which role the claims of a person give them.
type RoleRule struct {
	// Claim names the claim whose value, or one of whose values, decides, such as "groups". Dots lead into objects:
	// "realm_access.roles". Empty: everybody gets Default.
	Claim string
	// Values gives the role for a value of the claim. When it is empty, the names of the roles themselves count, and only then: people
	// who may make groups at the provider could call one "admin".
	Values map[string]gatehouse.Role
	// Default is for those whose claim gives none. Empty: they may not come in.
	Default gatehouse.Role
}

// ParseRoleRule reads a rule from its flags: mappings are VALUE=ROLE.
func ParseRoleRule(claim string, mappings []string, fallback string) (RoleRule, error) {
	rule := RoleRule{Claim: claim, Values: map[string]gatehouse.Role{}}
	for _, mapping := range mappings {
		i := strings.LastIndexByte(mapping, '=')
		if i < 1 {
			return RoleRule{}, gatehouse.InvalidField("role", "the mapping %q has no role; write it like platform-team=editor", mapping)
		}
		role, err := gatehouse.ParseRole(mapping[i+1:])
		if err != nil {
			return RoleRule{}, err
		}
		rule.Values[mapping[:i]] = role
	}
	if fallback != "" {
		role, err := gatehouse.ParseRole(fallback)
		if err != nil {
			return RoleRule{}, err
		}
		rule.Default = role
	}
	if claim == "" && rule.Default == "" {
		return RoleRule{}, gatehouse.InvalidField("role", "nothing says which role people from the identity provider get; name a claim, or give a default role")
	}
	return rule, nil
}

// role gives the mightiest role that the claims carry.
func (rule RoleRule) role(claims map[string]any) (gatehouse.Role, error) {
	var values []string
	if rule.Claim != "" {
		values = claimValues(claims, rule.Claim)
	}
	for _, role := range gatehouse.Roles {
		if slices.ContainsFunc(values, func(value string) bool { return rule.of(value) == role }) {
			return role, nil
		}
	}
	if rule.Default == "" {
		return "", gatehouse.Errorf(gatehouse.Forbidden, "the identity provider knows you, but gives you no role in Gatehouse; ask an admin")
	}
	return rule.Default, nil
}

func (rule RoleRule) of(value string) gatehouse.Role {
	if len(rule.Values) > 0 {
		return rule.Values[value]
	}
	role, _ := gatehouse.ParseRole(value)
	return role
}

// claimValues gives the strings of the claim. A claim of the whole name comes before one inside an object, since names with dots
// are common: "https://example.com/roles".
func claimValues(claims map[string]any, name string) []string {
	switch value := findClaim(claims, name).(type) {
	case string:
		return []string{value}
	case []any:
		var values []string
		for _, v := range value {
			if s, ok := v.(string); ok {
				values = append(values, s)
			}
		}
		return values
	}
	return nil
}

func findClaim(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	for i := range len(name) {
		if inner, ok := claims[name[:i]].(map[string]any); ok && name[i] == '.' {
			return findClaim(inner, name[i+1:])
		}
	}
	return nil
}
