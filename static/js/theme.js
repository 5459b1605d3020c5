// The theme changes at once; the cookie keeps it, so that the server renders the next page in it and nothing flashes.
{
  const buttons = () => document.querySelectorAll("[data-theme-switch] button");

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-theme-switch]")) return;
    event.preventDefault();
    const theme = event.submitter.value;
    document.documentElement.dataset.theme = theme;
    document.cookie = `gatehouse_theme=${theme}; Path=/; Max-Age=${theme ? 31536000 : 0}; SameSite=Lax`;
    for (const button of buttons()) button.ariaPressed = String(button.value === theme);
  });
}
