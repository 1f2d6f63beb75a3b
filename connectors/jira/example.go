package jira

// Example shows the settings without a default, for Jira Cloud.
func (c *Config) Example() string {
	return `base_url: https://example.atlassian.net
auth:
  basic: {user: bridge@example.com, token: {env: DRAWBRIDGE_SECRET_JIRA}}
`
}
