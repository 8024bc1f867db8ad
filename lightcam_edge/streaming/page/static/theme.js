// Runs before the page is painted, so that it never flashes in the other theme.
"use strict";
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    root.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
    const other = root.dataset.theme === "dark" ? "light" : "dark";
    document.getElementById("theme")?.setAttribute("aria-label", `Switch to ${other}`);
    return other;
  };
  const turn = () => {
    localStorage.setItem("theme", apply());
    apply();
  };
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme")?.addEventListener("click", turn);
  });
  apply();
}
